#pragma once
#include <string>

#include "packet-writer.h"

/** Reads an address in digits; false where it is none. */
bool parseAddress(const std::string& host, uint16_t port, int family, Address& address);

/** Opens and binds a socket that does not block; returns its descriptor, or minus the number of the error. */
int openUdpSocket(const Address& address);
