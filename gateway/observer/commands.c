#include "gateway/observer/commands.h"

#include <string.h>

#include "base/text.h"
#include "gateway/observer/observer.h"
#include "gateway/observer/status.h"

struct command {
    const char *name;
    bool changes; /* not for those who may only look */
    void (*run)(struct control_connection *connection, json_t *request);
};

static void
commands_status(struct control_connection *connection, json_t *request)
{
    (void)request;
    control_answer(connection, status_json(connection->control->observer));
}

static const struct command commands[] = {
    {"status", false, commands_status},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char *
commands_name_at(const void *rows, size_t i)
{
    return ((const struct command *)rows)[i].name;
}

static const struct command *
commands_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Whoever may only look has tried: a line says so. */
static void
commands_deny(struct control_connection *connection,
              const struct command *command)
{
    struct channel_message message = {
        .kind = CHANNEL_OPERATOR,
        .operator= {.action = CHANNEL_DENIED,
                    .uid = connection->peer.uid,
                    .pid = connection->peer.pid,
                    .len = (uint32_t)strlen(command->name)} };
    memcpy(message.operator.text, command->name, strlen(command->name));
    observer_tell_monitor(&message);
    control_refuse(connection, false,
                   "user %u may look, and not %s: that takes root or the user "
                   "who runs the gateway",
                   connection->peer.uid, command->name);
}

void
commands_run(struct control_connection *connection, json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    char shown[64];
    if (name == NULL) {
        control_refuse(connection, true,
                       "the line is not an object with a \"command\"");
        return;
    }
    const struct command *command = commands_find(name);
    if (command == NULL) {
        const char *nearest =
            text_nearest(name, commands, COMMAND_COUNT, commands_name_at);
        control_refuse(connection, true, "there is no command `%s'%s%s%s",
                       text_show(name, strlen(name), shown, sizeof(shown)),
                       nearest != NULL ? " (did you mean `" : "",
                       nearest != NULL ? nearest : "",
                       nearest != NULL ? "'?)" : "");
        return;
    }
    if (command->changes && !connection->peer.may_change)
        commands_deny(connection, command);
    else
        command->run(connection, request);
}

void
commands_finish(struct control *control, uint32_t number, bool done,
                const char *text, size_t len)
{
    (void)control, (void)number, (void)done, (void)text, (void)len;
}
