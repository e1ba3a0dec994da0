"""What everybody may change about himself: name, zone, language, password, second factors, sessions."""
