<?php
// A stand-in for tests. A release's include.php, made from this, names the data folder.
//define('APP_DATA_FOLDER_PATH', '/var/lib/snappymail/');
