"""What a picture looks like: colours and distances, the font, how words break into lines."""
