// The parts of Boost.Asio that the server uses, under short names. Include this, never
// <boost/asio.hpp>: the whole header fails in C++20 with GCC 12 unless <utility> comes first, and
// costs seconds a file.
#pragma once

#include <utility>

// Order matters: <utility> before any Asio header (see above).
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>

namespace switchback {

namespace net = boost::asio;
using tcp = boost::asio::ip::tcp;  // NOLINT(readability-identifier-naming): as Asio names it
using NetError = boost::system::error_code;
// A connection, over TCP or a Unix socket.
using StreamSocket = boost::asio::generic::stream_protocol::socket;

}  // namespace switchback
