"""The sources by name; free of imports, so that the command line can list them at once."""

SOURCES = {
    "davis-2016": "videos.davis.Davis2016",
    "davis-2017": "videos.davis.Davis2017",
    "youtube-vos": "videos.youtube_vos.YouTubeVos",
    "bl30k": "videos.bl30k.Bl30k",
    "gygo": "videos.gygo.Gygo",
    "duts": "stills.Duts",
    "ecssd": "stills.Ecssd",
    "hrsod": "stills.Hrsod",
    "big": "stills.Big",
    "msra10k": "stills.Msra10k",
    "fss-1000": "stills.Fss1000",
    "voc": "voc.Voc",
    "sbd": "voc.Sbd",
    "coco": "annotations.coco.Coco",
    "lvis": "annotations.lvis.Lvis",
}
"""Name of a source -> module of this folder and class; imported when it is opened."""
