<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/** Makes the tables of Roundcube's database, or brings them to what the installed version needs; says what it does. */
define('INSTALL_PATH', '/var/lib/roundcube/');

require INSTALL_PATH . 'program/include/clisetup.php';

$folder = INSTALL_PATH . 'SQL';
$db = rcmail_utils::db();
if (!in_array($db->table_name('system'), $db->list_tables(), true)) {
    // It ends the program where it fails, and makes what this version needs.
    rcmail_utils::db_init($folder);
    exit(0);
}
exit(rcmail_utils::db_update($folder, 'roundcube', null, ['errors' => true]) ? 0 : 1);
