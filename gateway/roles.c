#include "gateway/authenticator/main.h"
#include "gateway/certificate_check/main.h"
#include "gateway/config/config.h"
#include "gateway/confine/confine.h"
#include "gateway/logwriter/main.h"
#include "gateway/observer/main.h"
#include "gateway/resolver/main.h"
#include "gateway/role.h"
#include "gateway/signer/main.h"
#include "gateway/upgrade_check/main.h"
#include "gateway/worker/main.h"

/* Where a listener speaks SOCKS 4A or SOCKS5, or a parent has a name. */
static bool
roles_need_resolver(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].socks4a != CONFIG_4A_OFF ||
            config->listeners[i].socks5 != CONFIG_SOCKS5_OFF)
            return true;
    for (size_t i = 0; i < config->parent_count; i++)
        for (size_t j = 0; j < config->parents[i].address_count; j++)
            if (config->parents[i].addresses[j].name != NULL)
                return true;
    return false;
}

/* Where a listener has a private key, or a parent. */
static bool
roles_need_signer(const struct config *config)
{
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++) {
        const struct config_tls *tls = config_tls_at(config, i);
        if (tls != NULL && tls->key.path != NULL)
            return true;
    }
    return false;
}

/* Where a rule asks for a password, and a file says who the users are. */
static bool
roles_need_authenticator(const struct config *config)
{
    return config->policy.asking_count > 0 && config->auth.users.path != NULL;
}

/* Of lines with another event the monitor says that the worker wrote them. */
static const char *const worker_events[] = {"session",
                                            "session_start",
                                            "records_suppressed",
                                            "limit",
                                            "splice_failed",
                                            "accept_failed",
                                            "parent_name",
                                            "parent_resting",
                                            "parent_back",
                                            "trace",
                                            NULL};

/* clang-format off */
const struct role roles[] = {
    [ROLE_WORKER] = {"--worker", "socks4d: worker", "worker",
                     worker_main, &confine_worker, NULL, worker_events},
    [ROLE_RESOLVER] = {"--resolver", "socks4d: resolver", "resolver",
                       resolver_main, &confine_resolver, roles_need_resolver,
                       NULL},
    [ROLE_LOGWRITER] = {"--logwriter", "socks4d: log writer", "writer",
                        logwriter_main, &confine_logwriter, NULL, NULL},
    [ROLE_SIGNER] = {"--signer", "socks4d: signer", "signer", signer_main,
                     &confine_signer, roles_need_signer, NULL},
    [ROLE_AUTHENTICATOR] = {"--authenticator", "socks4d: authenticator",
                            "authenticator", authenticator_main,
                            &confine_authenticator, roles_need_authenticator,
                            NULL},
    /* when it is needed only the monitor can tell: observer_links.h */
    [ROLE_OBSERVER] = {"--observer", "socks4d: observer", "observer",
                       observer_main, &confine_observer, NULL, NULL},
    /* becomes a worker, as far as one can without serving */
    [ROLE_UPGRADE_CHECK] = {"--upgrade-check", "socks4d: upgrade check",
                            "upgrade_check", upgrade_check_main,
                            &confine_worker, NULL, NULL},
    /* parses keys and certificates, once, before they are used */
    [ROLE_CERTIFICATE_CHECK] = {"--certificate-check",
                                "socks4d: certificate check",
                                "certificate_check", certificate_check_main,
                                &confine_signer, NULL, NULL},
};
/* clang-format on */

const size_t role_count = sizeof(roles) / sizeof(roles[0]);
