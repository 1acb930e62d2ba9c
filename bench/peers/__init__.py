"""What the portal is compared with, each as its own documentation sets it up."""
