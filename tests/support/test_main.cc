#define BOOST_TEST_MODULE generate_project
#include <boost/test/unit_test.hpp>
