<?php
// A stand-in for tests, not SnappyMail.
umask(0077);
if (is_file(APP_INDEX_ROOT_PATH . 'include.php')) {
    include APP_INDEX_ROOT_PATH . 'include.php';
}
defined('APP_DATA_FOLDER_PATH') || define('APP_DATA_FOLDER_PATH', APP_INDEX_ROOT_PATH . 'data/');
define('APP_PRIVATE_DATA', APP_DATA_FOLDER_PATH . '_data_/_default_/');

require __DIR__ . '/app/setup.php';
require __DIR__ . '/app/mail.php';
require __DIR__ . '/app/api.php';

set_up();
answer(explode('/', trim(explode('&', $_SERVER['QUERY_STRING'] ?? '')[0], '/')));
