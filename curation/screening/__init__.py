"""Screening elsewhere: the queue of one phenomenon out to ASReview and Rayyan, and their labels back in."""
