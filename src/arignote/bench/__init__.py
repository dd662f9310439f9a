"""How fast arignote is: a harness that times contenders in turns, and the seed programs in it."""
