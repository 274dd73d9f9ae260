"""COCO and LVIS: pictures with one JSON file of annotations."""
