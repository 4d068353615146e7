#include "core/curl/transfer.h"

#include <array>
#include <map>
#include <mutex>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace gp::curl {
namespace {

constexpr std::size_t kMaxHeaders = 100;

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      throw Error(ErrorKind::kBug, "libcurl does not start");
  });
}

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace

struct Transfer::Impl {
  std::string body;
  std::unique_ptr<curl_slist, ListDeleter> headers;
  std::unique_ptr<CURL, EasyDeleter> easy;
  std::unique_ptr<CURLM, MultiDeleter> multi;
  std::array<char, CURL_ERROR_SIZE> error_text{};
  std::string received;
  std::map<std::string, std::string, std::less<>> answer_headers;
  std::string failure;
  bool has_ended = false;

  ~Impl() {
    if (multi && easy) curl_multi_remove_handle(multi.get(), easy.get());
  }

  template <class Value>
  void set(CURLoption option, Value value) {
    if (curl_easy_setopt(easy.get(), option, value) != CURLE_OK) {
      throw Error(ErrorKind::kBug, fmt::format("libcurl refuses option {}", static_cast<int>(option)));
    }
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) noexcept {
    try {
      static_cast<Impl*>(self)->received.append(data, size);
      return size;
    } catch (...) {
      return 0;  // libcurl ends the transfer with CURLE_WRITE_ERROR
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) noexcept {
    try {
      static_cast<Impl*>(self)->take_header({data, size});
      return size;
    } catch (...) {
      return 0;
    }
  }

  void take_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      answer_headers.clear();  // after a 100 Continue the real answer begins
      return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || answer_headers.size() >= kMaxHeaders) return;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' '))
      value.remove_suffix(1);
    answer_headers[lower(line.substr(0, colon))] = std::string(value);
  }

  void end(CURLcode code) {
    has_ended = true;
    if (code == CURLE_OK) return;
    const std::string text = error_text.front() != '\0' ? error_text.data() : curl_easy_strerror(code);
    failure = fmt::format("CURLE {}: {}", static_cast<int>(code), utf8::sanitize(text));
  }

  void add_headers(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
      if (longer == nullptr) throw Error(ErrorKind::kBug, "libcurl is out of memory");
      (void)headers.release();  // now part of `longer`
      headers.reset(longer);
    }
    set(CURLOPT_HTTPHEADER, headers.get());
  }

  /// What every request has.
  void prepare(const std::string& url, const std::vector<std::string>& lines,
               std::chrono::milliseconds connect_timeout) {
    start_library();
    easy.reset(curl_easy_init());
    multi.reset(curl_multi_init());
    if (!easy || !multi) throw Error(ErrorKind::kBug, "libcurl is out of memory");
    add_headers(lines);
    add_headers({"Accept-Encoding: identity"});  // without it any encoding would be right (RFC 9110, 12.5.3)
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_USERAGENT, "generate-project/" GP_VERSION);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout.count()));
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_NOSIGNAL, 1L);  // threads
#if LIBCURL_VERSION_NUM >= 0x075700
    // Names are looked up on a thread of libcurl's, and closing a transfer would wait for it: a name server
    // that hangs would hold up a cancelled call and the connection's time limit alike. With this the thread
    // is left behind. It owns what it touches, nothing of the transfer's, and ends when the system's resolver
    // gives up (some tens of seconds): so much memory and one thread a given-up look-up is what it costs.
    set(CURLOPT_QUICK_EXIT, 1L);
#endif
    set(CURLOPT_ERRORBUFFER, error_text.data());
    set(CURLOPT_WRITEFUNCTION, &Impl::on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_HEADERFUNCTION, &Impl::on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  }

  void begin() {
    if (curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK)
      throw Error(ErrorKind::kBug, "libcurl refuses the transfer");
  }

  void read_messages() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
      if (message->msg == CURLMSG_DONE) end(message->data.result);
    }
  }
};

Transfer::Transfer(const Post& post) : impl_(std::make_unique<Impl>()) {
  impl_->prepare(post.url, post.headers, post.connect_timeout);
  impl_->body = post.body;
  impl_->set(CURLOPT_POST, 1L);
  impl_->set(CURLOPT_POSTFIELDS, impl_->body.data());
  impl_->set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(impl_->body.size()));
  impl_->begin();
}

Transfer::Transfer(const Get& get) : impl_(std::make_unique<Impl>()) {
  impl_->prepare(get.url, get.headers, get.connect_timeout);
  impl_->set(CURLOPT_HTTPGET, 1L);
  impl_->begin();
}

Transfer::~Transfer() = default;

Transfer::State Transfer::pull(std::chrono::milliseconds wait, std::string& bytes) {
  const auto run = [this] {
    int running = 0;
    if (curl_multi_perform(impl_->multi.get(), &running) != CURLM_OK) impl_->end(CURLE_FAILED_INIT);
    impl_->read_messages();
  };
  if (!impl_->has_ended) run();
  if (!impl_->has_ended && impl_->received.empty()) {
    curl_multi_poll(impl_->multi.get(), nullptr, 0, static_cast<int>(wait.count()), nullptr);
    run();
  }
  bytes += std::exchange(impl_->received, {});
  return impl_->has_ended ? State::kEnded : State::kMore;
}

bool Transfer::has_sent() const {
  long bytes = 0;
  curl_easy_getinfo(impl_->easy.get(), CURLINFO_REQUEST_SIZE, &bytes);
  return bytes > 0;
}

long Transfer::status() const {
  long status = 0;
  curl_easy_getinfo(impl_->easy.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

std::string Transfer::header(std::string_view name) const {
  const auto found = impl_->answer_headers.find(name);
  return found == impl_->answer_headers.end() ? std::string() : found->second;
}

const std::string& Transfer::failure() const { return impl_->failure; }

std::optional<std::chrono::sys_seconds> parse_http_date(const std::string& text) {
  const std::time_t seconds = curl_getdate(text.c_str(), nullptr);
  if (seconds < 0) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

}  // namespace gp::curl
