#include "core/project/blocklist.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <boost/test/unit_test.hpp>

#include "core/base/error.h"
#include "core/base/ids.h"

using gp::project::Blocklist;

namespace {

const Blocklist& built_in() {
  static const Blocklist list = Blocklist::load("");
  return list;
}

std::string category_of(const std::string& text) {
  const auto hit = built_in().find(text);
  return hit ? hit->category : "";
}

struct File {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("blocklist-" + gp::make_uuid());
  explicit File(const std::string& text) { std::ofstream(path) << text; }
  ~File() { std::filesystem::remove(path); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(blocklist)

BOOST_AUTO_TEST_CASE(words_of_mathematics_and_of_school_pass) {
  for (const char* text : {"analysis of a class",
                           "mass and title",
                           "assessment in the basement",
                           "therapist",
                           "grape and raisin",
                           "cumulative",
                           "circumference",
                           "sextant",
                           "Essex",
                           "peacock",
                           "Scunthorpe",
                           "Sussex",
                           "cocktail of fractions",
                           "probability of dice and cards",
                           "the chance of a shot",
                           "bar chart",
                           "gross and net price",
                           "a pound of dates",
                           "angle bisector",
                           "sex ratio at birth",
                           "hot glue gun",
                           "cotton gin",
                           "cum. frequency graphs",
                           "magna cum laude",
                           "A trip to Wadi Rum",
                           "Stars seen with the naked eye",
                           "Litres of water drunk on sports day",
                           "a finger prick test",
                           "apple cider vinegar",
                           "A 20% alcohol solution is mixed with water",
                           "explosive growth",
                           "nail gun and staple gun",
                           "The radar gun shows 60 km/h",
                           "Record sex, age and height",
                           "gin rummy",
                           "The dyke is 8 m high",
                           "spic and span",
                           "A5 paper",
                           "3rd root",
                           "9am to 5pm",
                           "sin 45 and cos 30",
                           "$5 and 7% off",
                           "shuttlecock",
                           "hamster",
                           "begun",
                           "drum",
                           "cucumber",
                           "document",
                           "كتاب الرياضيات",
                           "نسبة الذكور الى الاناث",
                           "حساب المساحة",
                           "الكسور العشرية",
                           "مكسرات",
                           "كسر",
                           "قوس"}) {
    BOOST_TEST(category_of(text) == "", text);
  }
}

BOOST_AUTO_TEST_CASE(blocked_words_are_found_by_category) {
  BOOST_TEST(category_of("Pour the whisky into the cups") == "alcohol");
  BOOST_TEST(category_of("a CASINO budget") == "gambling");
  BOOST_TEST(category_of("rifles and guns") == "weapons");
  BOOST_TEST(category_of("kill yourself") == "self_harm");
  BOOST_TEST(category_of("they got drunk on apple cider") == "alcohol");
  BOOST_TEST(category_of("naked people with guns") != "");
  BOOST_TEST(category_of("fuck") == "profanity");
}

BOOST_AUTO_TEST_CASE(disguises_are_seen_through) {
  for (const char* text : {"ＷＨＩＳＫＹ", "wh1sky", "WHÍSKY", "wh\u200Bisky", "c4sino", "sh!t", "v0dka",
                           "fu\u00ADck", "machine-gun"}) {
    BOOST_TEST(category_of(text) != "", text);
  }
}

BOOST_AUTO_TEST_CASE(a_sign_or_a_digit_is_a_letter_between_letters_only) {
  for (const char* text : {"a$$hole", "b00bs", "p0rn", "s3x", "sh!tty", "f@gg0t", "shit!", "beer!wine"}) {
    BOOST_TEST(category_of(text) != "", text);
  }
}

BOOST_AUTO_TEST_CASE(algebra_units_and_labels_pass) {
  for (const char* text : {"53x",
                           "$3x",
                           "0.53x",
                           "53xy",
                           "$3xy$",
                           "$53xy = 106$",
                           "cell A55",
                           "Add the cells A55 and A66",
                           "tyre P155/70",
                           "4ss and 4b",
                           "5! = 120 and 4! = 24",
                           "f(x) = 3x + 5x",
                           "2x3x4",
                           "H2SO4 and C2H5OH",
                           "@55 and #55",
                           "$455",
                           "the number XXX in Roman numerals is 30",
                           "Ask for age, sex and height",
                           "m3 and cm3",
                           "x1, x2, x3",
                           "y = 4x5"}) {
    BOOST_TEST(category_of(text) == "", text);
  }
}

BOOST_AUTO_TEST_CASE(arabic_sentences_of_the_classroom_pass) {
  for (const char* text : {
           "احسب مساحة كبيرة بالمتر المربع",
           "الأرقام كبيرة ولذلك نستخدم الصيغة العلمية",
           "قارن بين كبيرة وصغيرة من الدوائر",
           "ارسم مسدساً منتظماً طول ضلعه ٥ سم",
           "المسدس المنتظم له ستة أضلاع متساوية",
           "ما مجموع قياسات زوايا مسدس؟",
           "مسدسات ومخمسات على ورق مربعات",
           "تقود الميسرة النقاش ويسجل ميسر المجموعة النتائج",
           "دور الميسر أن يوزع البطاقات",
           "جدول فيه العمر والجنس والطول",
           "صنف التلاميذ حسب الجنس ثم ارسم مخططاً بالأعمدة",
           "ما جنس هذا الكائن الحي ونوعه؟",
           "يتمدد قضيب معدني عند تسخينه",
           "طول القضيب الحديدي متران ونصف",
           "قضبان السكة الحديدية متوازية",
           "التكاثر الجنسي واللاجنسي في النبات",
           "اكتب جنسية كل لاعب وعدد أهدافه",
           "يقف الطالب فخراً بعمله",
           "البلغم إفراز في الجهاز التنفسي، والسعال يخرج بلغماً",
           "لعين الإنسان عدسة محدبة",
           "انظر إلى الخلية بالعين المجردة ثم بالمجهر",
           "لعنة الفراعنة أسطورة في كتاب التاريخ",
           "تغطى الطرق بالزفت والحصى",
           "يروي رشاش الماء حديقة مستطيلة",
           "تقع مدينة البندقية في إيطاليا",
           "يأكل الأرنب الحشيش والجزر في السلسلة الغذائية",
           "حبل من القنب طوله ٣٠ متراً",
           "عرى الصداقة بين أفراد الفريق",
           "قواد الجيش في العصر العباسي",
           "قاتل الجنود دفاعاً عن الوطن",
           "قتل الجراثيم بغلي الماء",
           "العلم سلاح والقراءة ذخيرة لغوية",
           "تفجير الطاقات الإبداعية لدى المتعلمين",
           "احسب تكلفة ذبح الأضاحي في العيد",
           "اشترت ليلى عصيراً مسكراً بسبعة دراهم",
           "يقيس ترمومتر الكحول درجة الحرارة",
           "حملة مدرسية عن أضرار التدخين",
           "تربة عارية من النباتات تتعرض للانجراف",
           "كم لتراً من الماء تستهلك الأسرة في الأسبوع؟",
           "بسّط الكسر وحوّله إلى عدد عشري",
           "كسّر الثلج إلى مكعبات حجم كل منها ٨ سم مكعب",
           "النسبة المئوية للمكسرات في الخليط",
           "أقمار المشتري تدور حوله، وبالأقمار الصناعية نحدد الموقع",
           "خصم ٢٠٪ على أسعار السوق الشعبي",
           "احتمال ظهور العدد ٦ عند رمي حجر النرد",
           "خميرة الخبز تحتاج ماء دافئاً",
           "اجتمعت الجماعة بالإجماع على القرار",
           "يتعاون أعضاء الفريق ويتحاورون باحترام",
           "مسافة الرحلة بالمترو من دبي مارينا إلى برج خليفة",
           "اقرأ البيانات ثم اكتب معادلة المستقيم",
           "نظّم وقتك وحدد أولوياتك واتخذ قراراً",
           "وكانت كميات كبيرة من النفط تصدر عبر الميناء",
           "الهوية الوطنية والجنسية الإماراتية",
           "كواكب المجموعة الشمسية وكتلها",
           "لكل طالب بطاقة، وفي كل بطاقة سؤال",
       }) {
    BOOST_TEST(category_of(text) == "", text);
  }
}

BOOST_AUTO_TEST_CASE(arabic_words_are_found_behind_articles_and_within_phrases) {
  for (const char* text :
       {"القمار",        "والمخدرات",   "بالكوكايين",    "للخمر",         "فالنبيذ",     "كالبيرة",
        "وبالأسلحة",     "وللمتفجرات",  "وخمر",          "شرب البيرة",    "الشرموطة",    "العاهرة",
        "يلعب الميسر",   "الانتحار",    "وانتحر",        "الإرهابيين",    "بالقنبلة",    "مسدس ناري",
        "تعاطي الحشيش",  "فيلم جنسي",   "التحرش الجنسي", "المدفع الرشاش", "زرع الألغام", "لحم الخنزير",
        "تدخين السجائر", "قتل الأطفال", "القضيب الذكري", "صور عارية",     "اللعنة عليك", "بندقية"}) {
    BOOST_TEST(category_of(text) != "", text);
  }
}

BOOST_AUTO_TEST_CASE(arabic_is_found_in_every_spelling) {
  for (const char* text :
       {"قمار", "القمار", "والقمار", "قِمَار", "قمـــار", "أسلحة", "اسلحه", "بالخمر", "للمخدرات", "إرهاب"}) {
    BOOST_TEST(category_of(text) != "", text);
  }
}

BOOST_AUTO_TEST_CASE(a_file_adds_words_and_takes_words_away) {
  const File file("# ours\nhomework\n+pop quiz\n-whisky\n\n");
  const Blocklist list = Blocklist::load(file.path);
  BOOST_REQUIRE(list.find("the HOMEWORK"));
  BOOST_TEST(list.find("the HOMEWORK")->category == "custom");
  BOOST_TEST(list.find("a pop-quiz today").has_value());
  BOOST_TEST(!list.find("pop music"));
  BOOST_TEST(!list.find("whisky"));
  BOOST_TEST(list.find("vodka").has_value());
}

BOOST_AUTO_TEST_CASE(a_broken_file_is_refused_with_its_line) {
  const auto complains_of = [](const std::string& what) {
    return [what](const gp::Error& error) {
      return error.kind() == gp::ErrorKind::kBadInput &&
             std::string(error.what()).find(what) != std::string::npos;
    };
  };
  const File no_word("word\n+ --\n");
  BOOST_CHECK_EXCEPTION(Blocklist::load(no_word.path), gp::Error, complains_of("line 2"));
  const File too_long("one two three four five\n");
  BOOST_CHECK_EXCEPTION(Blocklist::load(too_long.path), gp::Error, complains_of("line 1"));
  const File not_utf8("\xff\n");
  BOOST_CHECK_EXCEPTION(Blocklist::load(not_utf8.path), gp::Error, complains_of("UTF-8"));
  BOOST_CHECK_EXCEPTION(Blocklist::load("/nowhere/list.txt"), gp::Error, complains_of("/nowhere/list.txt"));
}

BOOST_AUTO_TEST_CASE(large_and_odd_input_is_no_trouble) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "class circumference ";
  BOOST_TEST(!built_in().find(text));
  BOOST_TEST(!built_in().find(""));
  BOOST_TEST(!built_in().find(std::string(200'000, 'a')));
  BOOST_TEST(!built_in().find("\xff\xfe"));
}

BOOST_AUTO_TEST_SUITE_END()
