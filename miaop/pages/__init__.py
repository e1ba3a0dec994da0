"""Conversations > Offline Tasks: the tasks of the API for people, and a form that submits one."""
