"""How results are shown: terminal, HTML, JSON, JUnit, OCSF; and two runs compared."""
