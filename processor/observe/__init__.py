"""What is seen from outside: logs and the pages that monitoring reads. It decides nothing."""
