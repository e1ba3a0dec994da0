"""What all engines that speak OpenAI's protocol have in common: the guarded client and what servers refuse."""
