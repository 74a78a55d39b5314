<?php
echo isset($_SERVER['HTTPS']) && $_SERVER['HTTPS'] === 'on' ? 'secure' : 'plain', ' page of ', getenv('USER'), "\n";
