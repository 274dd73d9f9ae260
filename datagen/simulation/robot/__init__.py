"""The DAVIS robot: skeletons, longest paths, strokes, and the files of DAVIS scribbles."""
