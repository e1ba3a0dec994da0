"""The demo: three tenants with calls, loaded through the same services that customers' data pass (ADR 0001)."""
