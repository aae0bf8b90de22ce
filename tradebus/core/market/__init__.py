"""What happens on markets."""
