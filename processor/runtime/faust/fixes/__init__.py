"""What had to be corrected of Faust 0.15.3 and aiokafka 0.14.0, apart from what is the worker's own.

Each module corrects one thing and says which, so that it could be offered to those projects:

- ``fetch_times``: when a fetch was sent, and that it found the log's end.
- ``membership``: a member under a fixed name that was replaced notices, and can leave.
- ``recovery``: partitions start on their own, none waits for another.
- ``untouched``: a codec that hands values through the conductor as they are.
"""
