<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Keeps messages within their bounds: on the page, and from the world until their reader was asked.
 *
 * nginx lets pictures from elsewhere load on those pages alone that this plugin marks.
 */
class house_messages extends rcube_plugin
{
    public $task = 'mail|utils';

    private const SHOWN = ['show', 'preview', 'print', 'get', 'compose'];

    public function init(): void
    {
        $this->add_hook('startup', [$this, 'limitRequest']);
        $this->add_hook('message_load', [$this, 'markAnswered']);
        if (rcmail::get_instance()->output->type === 'html') {
            $this->include_stylesheet('house_messages.css');
            $this->include_script('house_messages.js');
        }
    }

    public function limitRequest(array $args): array
    {
        // It would fetch what a message names, from within the house.
        if ($args['task'] === 'utils' && $args['action'] === 'modcss') {
            \http_response_code(404);
            exit;
        }
        $this->believeReader($args['action']);
        return $args;
    }

    /** A message may hold a link to itself that says "the reader agreed": only the page's own button has the token. */
    private function believeReader(string $action): void
    {
        $rcmail = rcmail::get_instance();
        if (!empty($_GET['_safe']) && !$rcmail->check_request(rcube_utils::INPUT_GET)) {
            unset($_GET['_safe'], $_REQUEST['_safe']);
        }
        if ($action === 'get' && empty($_GET['_safe'])) {
            // The button of an attachment's page repeats what that was asked with.
            $_GET['_token'] = $rcmail->get_request_token();
        }
    }

    public function markAnswered(array $args): array
    {
        $agreed = !empty($args['object']->is_safe);
        if ($agreed && \in_array(rcmail::get_instance()->action, self::SHOWN, true)) {
            \header('X-House-Remote: allowed');
        }
        return $args;
    }
}
