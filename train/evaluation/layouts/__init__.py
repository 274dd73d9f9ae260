"""The layouts that annotated sequences are read from: DAVIS, YouTube-VOS, a corpus."""
