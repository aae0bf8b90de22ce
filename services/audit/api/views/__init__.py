"""Views: how core objects look in JSON."""
