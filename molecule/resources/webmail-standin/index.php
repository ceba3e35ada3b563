<?php
// A stand-in for tests, not SnappyMail.
[$program] = glob(__DIR__ . '/snappymail/v/*/include.php');
define('APP_VERSION', basename(dirname($program)));
define('APP_INDEX_ROOT_PATH', __DIR__ . '/');
require $program;
