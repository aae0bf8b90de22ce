"""What risk managers are."""
