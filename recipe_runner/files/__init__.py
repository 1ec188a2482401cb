"""Read datasets and write outputs: formats, compression, partitions and the selection of files.

Must not import `actions` or `profiling`: a file does not know which recipe it is for.
"""
