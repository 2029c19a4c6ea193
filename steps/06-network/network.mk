LDLIBS += -lmnl -lnftables
