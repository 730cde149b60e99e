"""A real Kafka broker and a real schema registry on this machine, for trying and testing; no shell needs it.

``kafka.py`` and ``registry.py`` run them, ``jars.py`` gets what they are made of, ``java.py`` finds the Java.
"""
