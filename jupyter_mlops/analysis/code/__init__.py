"""What a piece of Python may read, bind and touch, by its syntax tree."""
