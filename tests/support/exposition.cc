#include "tests/support/exposition.h"

#include <limits>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace support {
namespace {

const std::regex kHelp("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ([^\\\\]+)");
const std::regex kType("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)");
const std::regex kSample(
    R"re((([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*"(,[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*")*)\})?) ([0-9.e+-]+))re");
const std::regex kBound(R"re((,?)le="([^"]*)")re");

double number(const std::string& text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  std::size_t used = 0;
  const double value = std::stod(text, &used);
  if (used != text.size()) throw std::runtime_error("not a number: " + text);
  return value;
}

/// `name_bucket{handler="x",le="1"}`: its series without the bound, and the bound.
std::pair<std::string, double> split_bucket(const std::string& key) {
  std::smatch bound;
  if (!std::regex_search(key, bound, kBound)) throw std::runtime_error("a bucket without le: " + key);
  return {bound.prefix().str() + bound.suffix().str(), number(bound[2])};
}

std::string replace_suffix(const std::string& key, const std::string& suffix, const std::string& other) {
  std::string result = key;
  result.replace(result.find(suffix), suffix.size(), other);
  if (result.ends_with("{}")) result.resize(result.size() - 2);
  return result;
}

/// The buckets of each series ascend and are cumulative, and the last is +Inf and the count.
void check_histogram(const Family& family) {
  std::map<std::string, std::pair<double, double>> last;  // series -> bound, value
  for (const std::string& key : family.order) {
    if (key.find("_bucket") == std::string::npos) continue;
    const auto [series, bound] = split_bucket(key);
    const double value = family.samples.at(key);
    const auto before = last.find(series);
    if (before != last.end() && (before->second.first >= bound || before->second.second > value))
      throw std::runtime_error("not cumulative: " + key);
    last[series] = {bound, value};
  }
  if (last.empty()) throw std::runtime_error("a histogram without buckets");
  for (const auto& [series, end] : last) {
    if (end.first != std::numeric_limits<double>::infinity()) throw std::runtime_error("no +Inf: " + series);
    if (end.second != family.samples.at(replace_suffix(series, "_bucket", "_count")))
      throw std::runtime_error("the count is not the last bucket: " + series);
    family.samples.at(replace_suffix(series, "_bucket", "_sum"));
  }
}

class Parser {
 public:
  void take(const std::string& line) {
    std::smatch match;
    if (std::regex_match(line, match, kHelp)) return begin(match[1]);
    if (std::regex_match(line, match, kType)) return set_type(match[1], match[2]);
    if (std::regex_match(line, match, kSample)) return add(match[1], match[2], number(match[6]));
    throw std::runtime_error("neither HELP, TYPE nor a sample");
  }

  std::map<std::string, Family> finish() {
    for (const auto& [name, family] : families_) {
      if (family.type.empty() || family.samples.empty()) throw std::runtime_error(name + " is incomplete");
      if (family.type == "histogram") check_histogram(family);
    }
    return std::move(families_);
  }

 private:
  void begin(const std::string& name) {
    if (!families_.try_emplace(name).second) throw std::runtime_error("a second HELP");
    name_ = name;
  }

  void set_type(const std::string& name, const std::string& type) {
    if (name != name_ || !families_.at(name).type.empty()) throw std::runtime_error("a TYPE out of place");
    if (name.ends_with("_total") != (type == "counter")) throw std::runtime_error("_total is for counters");
    families_.at(name).type = type;
  }

  void add(const std::string& key, const std::string& name, double value) {
    Family& family = families_.at(name_);
    const bool is_part = name == name_ + "_bucket" || name == name_ + "_sum" || name == name_ + "_count";
    if (family.type == "histogram" ? !is_part : (name != name_ || family.type.empty()))
      throw std::runtime_error("a sample outside its family");
    if (!family.samples.emplace(key, value).second) throw std::runtime_error("a series twice");
    family.order.push_back(key);
  }

  std::map<std::string, Family> families_;
  std::string name_;
};

}  // namespace

std::map<std::string, Family> parse_exposition(const std::string& text) {
  if (!text.ends_with('\n')) throw std::runtime_error("no line feed at the end");
  Parser parser;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    try {
      parser.take(line);
    } catch (const std::exception& error) {
      throw std::runtime_error(line + ": " + error.what());
    }
  }
  return parser.finish();
}

double sample(const std::map<std::string, Family>& families, const std::string& series) {
  for (const auto& [name, family] : families) {
    const auto found = family.samples.find(series);
    if (found != family.samples.end()) return found->second;
  }
  throw std::runtime_error("no series " + series);
}

}  // namespace support
