<?php
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
try {
    $shop = new mysqli('localhost', 'root', '', 'shop');
    $shop->query('UPDATE visits SET n = n + 1');
    $visits = $shop->query('SELECT n FROM visits')->fetch_row()[0];
} catch (mysqli_sql_exception $problem) {
    http_response_code(503);
    exit($problem->getMessage() . "\n");
}
echo "visit $visits\n";
