"""Plain Kafka clients: topics made and checked, files published, topics read, dead letters replayed.

Nothing here processes events; that is the worker's. What these modules share with it are the names of topics
(:mod:`processor.core.topics`), the forms of records (:mod:`processor.codec`), and the settings of a
connection.
"""
