"""Country B: what health professionals of this country ask contact points abroad, encounter by encounter."""
