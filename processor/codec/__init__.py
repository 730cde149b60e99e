"""What comes in and what goes out: events, commands, decisions, dead letters; JSON Lines, Avro, Parquet."""
