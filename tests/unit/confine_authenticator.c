/* Passwords in a confined process: all that crypt(3) and OpenSSL need. */
#include "tests/unit/confine/attempt.h"

#include <sys/mman.h>
#include <unistd.h>

#include "gateway/authenticator/passwords.h"
#include "tests/unit/unit.h"

/* Each kind of hash, of "secret", and one of 64 MiB. */
static const char users[] =
    "yescrypt:$y$j9T$PtVzgzAAAAAAAAAAAAAAA1$"
    "ukU1yJkufVNuHGSnMwt/OtYlKhTYhXr6IGdiRSmsFK1\n"
    "large:$y$jBT$PtVzgzAAAAAAAAAAAAAAA1$"
    "xH58TXMhJRSZx2GubY92WbAieLmTW8R.ETm15m04zjD\n"
    "gost:$gy$j9T$PtVzgzAAAAAAAAAAAAAAA1$"
    "2BSi6s7DnkDOb3wvzSQLQ9JuGJsslzCffOxGaX4dZY.\n"
    "sha512crypt:$6$abcdefgh$"
    "ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/"
    "1GM/O6IND4WQhG.\n"
    "md5:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1\n"
    "des:abNANd1rDfiNc\n";

static struct passwords passwords;
static int users_fd;

static int
take_and_check(void)
{
    static const char *const names[] = {"yescrypt",    "large", "gost",
                                        "sha512crypt", "md5",   "des"};

    for (int round = 0; round < 2; round++) {
        CHECK(passwords_take(&passwords, users_fd, sizeof(users) - 1) == 0);
        for (size_t i = 0; i < COUNT(names); i++) {
            struct authentication_question asked = {
                .user_len = (uint8_t)strlen(names[i]),
                .password_len = 6,
                .password = "secret"};
            memcpy(asked.user, names[i], asked.user_len);
            CHECK(passwords_check(&passwords, &asked, 1) ==
                  AUTHENTICATION_ACCEPTED);
            asked.password[0] = 'S';
            CHECK(passwords_check(&passwords, &asked, 1) ==
                  AUTHENTICATION_REFUSED);
        }
    }
    passwords_fini(&passwords);
    return 0;
}

static void
an_authenticator_knows_each_kind_of_hash(void **state)
{
    (void)state;
    users_fd = memfd_create("users", 0);
    assert_int_equal(write(users_fd, users, sizeof(users) - 1),
                     sizeof(users) - 1);
    assert_int_equal(passwords_init(&passwords), 0);
    assert_int_equal(attempt_as(&confine_authenticator, take_and_check), 0);
    close(users_fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authenticator_knows_each_kind_of_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
