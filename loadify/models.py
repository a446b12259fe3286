"""What the processes of one site agree on among themselves."""

from django.db import models


class Lease(models.Model):
    """Something that one process does for all, and who does it until when, by the database's clock."""

    name = models.CharField(max_length=30, primary_key=True)
    holder = models.CharField(max_length=300, blank=True)
    lease_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
