// What commands print: numbers for people, errors, JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/result.hpp"

namespace switchback {

// Prints "switchback: MESSAGE" to std::cerr, and with `is_json` also {"error": {"code", "message"}}
// to std::cout, so that a program that reads the output always gets JSON. Returns the exit code
// that belongs to the error.
int ReportError(const Error& error, bool is_json);

// Prints the document, one line, to std::cout.
void PrintJson(const nlohmann::ordered_json& document);

// "17 B", "1.5 KiB", "12.3 MiB".
std::string FormatBytes(std::uint64_t bytes);
// "12 us", "3.4 ms", "5.6 s".
std::string FormatMicroseconds(double microseconds);
// "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
std::string FormatSeconds(double seconds);
// "1,234,567".
std::string FormatCount(std::uint64_t count);
// "25", "12.345": at most three decimals, no trailing zeros.
std::string FormatPercent(double percent);

// Whether std::cout is a terminal that a person looks at.
bool IsTerminal();

}  // namespace switchback
