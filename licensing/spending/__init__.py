"""The book of tokens and money in the ledger: what AI engines were asked, and what that cost (ADR 0016)."""
