debug.getregistry().codecell()
