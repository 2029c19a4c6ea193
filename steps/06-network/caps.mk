LDLIBS += -lcap
