<?php
// A stand-in for tests, not SnappyMail.
[$program] = glob(__DIR__ . '/{snappymail,tachyon}/v/*/include.php', GLOB_BRACE);
define('APP_VERSION', basename(dirname($program)));
define('APP_INDEX_ROOT_PATH', __DIR__ . '/');
require $program;
