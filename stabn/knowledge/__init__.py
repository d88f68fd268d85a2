"""Videos that the network gets wrong → people's corrections of when it looks → a better network."""
