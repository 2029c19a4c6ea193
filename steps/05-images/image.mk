LDLIBS += -larchive -ljansson -lcrypto
