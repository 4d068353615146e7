#include "core/base/metrics_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace gp::metrics {
namespace {

namespace fs = std::filesystem;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::array<char, 8> kMagic = {'g', 'p', 'c', 'o', 'u', 'n', 't', '1'};
constexpr mode_t kFileMode = 0640;  // the service's group may read the numbers
constexpr mode_t kFolderMode = 0750;

template <class Content>
struct FileOf {
  std::array<char, 8> magic = kMagic;
  std::uint64_t layout = 0;
  Content content{};
};
using SlotFile = FileOf<Block>;
using SlotImage = FileOf<Totals>;  ///< the same bytes, to be written
static_assert(sizeof(SlotFile) == sizeof(SlotImage));

// Layout
// ----------------------------------------------------------------------------------------------------------

/// FNV-1a, 64 bits.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0);
  }
  void add(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) add_byte(static_cast<unsigned char>(number >> (8 * i)));
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 1099511628211U; }
  std::uint64_t value_ = 14695981039346656037U;
};

template <class Rows>
void add_rows(Hash& hash, const Rows& rows) {
  for (const auto& row : rows) {
    hash.add(row.name);
    hash.add(row.labels);
    for (const auto bound : row.bounds) hash.add(static_cast<std::uint64_t>(bound.count()));
  }
}

/// Differs wherever a cell of the block would mean something else.
std::uint64_t layout() {
  Hash hash;
  hash.add(sizeof(SlotFile));
  add_rows(hash, counters());
  add_rows(hash, gauges());
  add_rows(hash, histograms());
  return hash.value();
}

// Mapping and locking
// ---------------------------------------------------------------------------------------------------------

struct Unmap {
  void operator()(SlotFile* file) const noexcept { ::munmap(file, sizeof(SlotFile)); }
};
using Mapping = std::unique_ptr<SlotFile, Unmap>;

/// Nothing where the file is not of this layout.
Mapping map(int fd, int protection) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_size != static_cast<off_t>(sizeof(SlotFile))) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(SlotFile), protection, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return nullptr;
  Mapping file(static_cast<SlotFile*>(memory));
  return file->magic == kMagic && file->layout == layout() ? std::move(file) : nullptr;
}

bool lock(int fd) {
  struct flock whole_file {};
  whole_file.l_type = F_WRLCK;
  return ::fcntl(fd, F_OFD_SETLK, &whole_file) == 0;
}

bool is_locked(int fd) {
  struct flock probe {};
  probe.l_type = F_RDLCK;
  return ::fcntl(fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

// Copies
// --------------------------------------------------------------------------------------------------------------

Totals copy_of(const Block& block) {
  const auto load = [](const auto& cell) { return cell.load(kRelaxed); };
  Totals totals;
  std::ranges::transform(block.counters, totals.counters.begin(), load);
  std::ranges::transform(block.gauges, totals.gauges.begin(), load);
  for (std::size_t i = 0; i < kHistograms; ++i) {
    std::ranges::transform(block.histograms[i].buckets, totals.histograms[i].buckets.begin(), load);
    totals.histograms[i].sum_ns = load(block.histograms[i].sum_ns);
  }
  return totals;
}

// Making a file
// -------------------------------------------------------------------------------------------------------

OwnSlot fault(std::string_view what, const std::string& path) {
  return {nullptr, UniqueFd(), fmt::format("cannot {} '{}': {}", what, path, std::strerror(errno))};
}

/// The file is complete and locked before it has its name, so that no reader sees less. Every byte is
/// written, not left a hole: a full disk is found here and not by a signal at the first count.
OwnSlot make_slot(const std::string& path, const Totals& inherited) {
  const fs::path place(path);
  const std::string draft = place.parent_path() / fmt::format(".{}.new", place.filename().string());
  ::unlink(draft.c_str());
  UniqueFd fd(::open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
  if (!fd || ::fchmod(fd.get(), kFileMode) != 0 || !lock(fd.get())) return fault("make", draft);
  const SlotImage image{.layout = layout(), .content = inherited};
  if (::write(fd.get(), &image, sizeof image) != static_cast<ssize_t>(sizeof image))
    return fault("fill", draft);
  Mapping file = map(fd.get(), PROT_READ | PROT_WRITE);
  if (!file) return fault("map", draft);
  if (::rename(draft.c_str(), path.c_str()) != 0) return fault("rename to", path);
  return {&file.release()->content, std::move(fd), {}};
}

/// `<handler>-<slot>`: the handler, or nothing where `name` is not of this form.
std::optional<std::string> handler_of(const std::string& name) {
  const auto dash = name.find('-');
  if (dash == 0 || dash == std::string::npos || dash + 1 == name.size()) return std::nullopt;
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!std::ranges::all_of(name.substr(0, dash), is_lower)) return std::nullopt;
  if (!std::ranges::all_of(name.substr(dash + 1), is_digit)) return std::nullopt;
  return name.substr(0, dash);
}

}  // namespace

void add_to(Totals& totals, const Totals& more) noexcept {
  const auto add = [](auto& sums, const auto& values) {
    for (std::size_t i = 0; i < values.size(); ++i) sums[i] += values[i];
  };
  add(totals.counters, more.counters);
  add(totals.gauges, more.gauges);
  for (std::size_t i = 0; i < kHistograms; ++i) {
    add(totals.histograms[i].buckets, more.histograms[i].buckets);
    totals.histograms[i].sum_ns += more.histograms[i].sum_ns;
  }
}

OwnSlot take_slot(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  std::error_code ignored;  // what is wrong shows when the file is made
  fs::create_directories(folder.parent_path(), ignored);
  ::mkdir(folder.c_str(), kFolderMode);

  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  Mapping file = fd ? map(fd.get(), PROT_READ | PROT_WRITE) : nullptr;
  if (!file) return make_slot(path, {});
  if (!lock(fd.get())) {
    Totals inherited = copy_of(file->content);
    inherited.gauges = {};
    return make_slot(path, inherited);
  }
  for (auto& gauge : file->content.gauges) gauge.store(0, kRelaxed);
  return {&file.release()->content, std::move(fd), {}};
}

std::vector<SlotReading> read_slots(const std::string& folder) {
  std::vector<SlotReading> readings;
  std::error_code ignored;  // no folder: nothing has been counted yet
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const auto handler = handler_of(entry.path().filename().string());
    if (!handler) continue;
    const UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    const Mapping file = fd ? map(fd.get(), PROT_READ) : nullptr;
    if (!file) continue;
    SlotReading reading{*handler, is_locked(fd.get()), copy_of(file->content)};
    if (!reading.is_live) reading.totals.gauges = {};
    readings.push_back(std::move(reading));
  }
  return readings;
}

}  // namespace gp::metrics
