"""From published event to stored transcript: the product, a Celery task per step, and a bare script."""
