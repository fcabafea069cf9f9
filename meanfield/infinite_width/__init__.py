"""One network of infinite width: its maps, fixed points, edge of chaos, phases and local stability."""
