"""The sources by name; free of imports, so that the command line can list them at once."""

SOURCES = {
    "davis-2016": "davis.Davis2016",
    "davis-2017": "davis.Davis2017",
    "youtube-vos": "youtube_vos.YouTubeVos",
    "bl30k": "bl30k.Bl30k",
    "gygo": "gygo.Gygo",
    "duts": "stills.Duts",
    "ecssd": "stills.Ecssd",
    "hrsod": "stills.Hrsod",
    "big": "stills.Big",
    "msra10k": "stills.Msra10k",
    "fss-1000": "stills.Fss1000",
    "voc": "voc.Voc",
    "sbd": "voc.Sbd",
    "coco": "coco.Coco",
    "lvis": "lvis.Lvis",
}
"""Name of a source -> module of this folder and class; imported when it is opened."""
