"""What is learned from clicks: log → exposures → rates → a ranker that is published only when it is better."""
